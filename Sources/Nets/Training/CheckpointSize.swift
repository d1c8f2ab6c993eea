extension Backbone {
    /// Bytes of a training's checkpoint: parameters, Adam's two moments and running statistics; names and shapes add little.
    package var checkpointBytes: Int {
        // The image size decides no parameter's shape.
        let graph = graph(size: 64)
        return 4 * (3 * graph.parameters.count + graph.statistics.count)
    }
}
