// The table of one instruction set; TABLE is its name.
const CKKernels TABLE = {
    .convolution = convolution,
    .weightGradient = weightGradient,
    .channelSums = channelSums,
    .fuse = fuse,
    .average = average,
    .factorGradient = factorGradient,
    .fusionSums = fusionSums,
    .fusionGradient = fusionGradient,
    .activate = activate,
    .activateGradient = activateGradient,
    .broadcast = broadcast,
    .maxPool = maxPool,
    .maxPoolGradient = maxPoolGradient,
    .accumulate = accumulate,
    .transposeWeights = transposeWeights,
    .adam = adam,
};
