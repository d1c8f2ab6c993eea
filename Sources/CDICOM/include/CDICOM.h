// Reading and writing DICOM slices through DCMTK, as a C interface for Swift.
#ifndef CDICOM_H
#define CDICOM_H

#endif
