"""Makes the compressed DICOM files of this folder and expected.json: pip install pydicom pyjpegls pylibjpeg[all] numpy; dcmtk for dcmcjpeg and dcmcjpls.

Three invented images of 34 x 32 pixels, a smooth bowl with a bright rim and noise, in the three pixel formats of the competition. RLE,
JPEG-LS and JPEG 2000 are encoded by pydicom's plugins, JPEG lossless by DCMTK; expected.json holds what pydicom decodes from each file.
"""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

ROWS, COLUMNS = 34, 32
FORMATS = {"signed16": (16, 1, -1024), "unsigned12": (12, 0, -1024), "signed12": (12, 1, 0)}
PYDICOM = {"rle": "1.2.840.10008.1.2.5", "jpegls": "1.2.840.10008.1.2.4.80", "jpeg2000": "1.2.840.10008.1.2.4.90"}
DCMTK = {"jpeg-sv1": "+e1", "jpeg-14": "+el"}


def pixels(name):
    bits, signed, _ = FORMATS[name]
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    noise = np.random.default_rng(2019).integers(-20, 20, (ROWS, COLUMNS))
    image = ((y - 17) ** 2 + (x - 16) ** 2) * 3 + noise
    image[0, :] = -1000 if signed else 0
    image[:, 0] = (1 << (bits - 1)) - 1
    if name == "signed16":
        image[ROWS - 1, :] = -2000
    return image.astype(np.int16 if signed else np.uint16)


def dataset(name):
    bits, signed, intercept = FORMATS[name]
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = UID("1.2.3.4")
    d.Modality, d.PatientID, d.StudyInstanceUID, d.SeriesInstanceUID = "CT", "P", "1.2.3", "1.2.3.1"
    d.ImagePositionPatient = [0, 0, 1.5]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = ROWS, COLUMNS
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, bits, bits - 1, signed
    d.RescaleIntercept, d.RescaleSlope = intercept, 1
    d.PixelData = pixels(name).tobytes()
    d["PixelData"].VR = "OW"
    return d


expected = {}


def record(path):
    array = pydicom.dcmread(path).pixel_array
    expected[path] = {
        "sha256_of_int32_le": hashlib.sha256(array.astype("<i4").tobytes()).hexdigest(),
        "some": [int(v) for v in array[1, :4]],
    }


for name in FORMATS:
    plain = dataset(name)
    plain.save_as(f"{name}.dcm", enforce_file_format=True)
    record(f"{name}.dcm")
    for coding, syntax in PYDICOM.items():
        d = dataset(name)
        try:
            d.compress(UID(syntax), generate_instance_uid=False)
        except Exception as error:  # an encoder that does not take this format
            print(f"{name} {coding}: {error}", file=sys.stderr)
            continue
        d.save_as(f"{name}-{coding}.dcm", enforce_file_format=True)
        record(f"{name}-{coding}.dcm")
    for coding, option in DCMTK.items():
        subprocess.run(["dcmcjpeg", option, "+un", f"{name}.dcm", f"{name}-{coding}.dcm"], check=True)
        record(f"{name}-{coding}.dcm")
# What is refused, since it has lost something.
subprocess.run(["dcmcjpls", "+en", "+md", "3", "unsigned12.dcm", "unsigned12-jpegls-near.dcm"], check=True)
json.dump(expected, open("expected.json", "w"), indent=1, sort_keys=True)
