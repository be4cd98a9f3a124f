import ArgumentParser

struct ModelVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Look at model files, and score rows with them.",
        discussion: """
            Reads LightGBM text, XGBoost JSON and UBJSON, CatBoost JSON, ONNX, and linear models in JSON; which one is told from the content.
            What of each library is supported, and how to export from it, stands in docs/models.md.
            """,
        subcommands: [ModelInspect.self, ModelScore.self])
}
