import Testing
import WhenceCore

@testable import WhenceModels

@Suite("What a file is") struct ModelFormatTests {
    static func detect(_ bytes: [UInt8]) throws(WhenceError) -> ModelFormat {
        try ModelFormat.detect(.bytes(bytes, name: "m"), bytesMax: 1 << 28)
    }

    @Test(
        "models are told by their content",
        arguments: [
            ("tree\nversion=v4\n", .lightGBMText), (#"{"learner":{"attributes":{}},"version":[3,2,0]}"#, .xgboostJSON),
            (#"  {"version":[3,2,0], "learner":{}}"#, .xgboostJSON), ("{L\0\0\0\0\0\0\0\u{7}learner{", .xgboostUBJSON),
            (#"{"ctr_data":{"a":[1]},"features_info":{}}"#, .catBoostJSON), (#"{"format":"whence-linear"}"#, .linearJSON),
            ("\u{8}\u{8}\u{12}\u{4}skl2:\u{0}", .onnx),
        ] as [(String, ModelFormat)])
    func models(text: String, format: ModelFormat) throws { #expect(try ModelFormatTests.detect(Array(text.utf8)) == format) }

    @Test("the fixtures are what they are", arguments: ["onnx", "catboost"])
    func fixtures(folder: String) throws {
        let suffix = folder == "onnx" ? ".onnx" : ".json"
        for name in Fixture.names(folder, suffix: suffix) {
            let path = try Fixture(folder, name, suffix: suffix).path
            #expect(try ModelFormat.detect(.file(path), bytesMax: 1 << 24) == (folder == "onnx" ? .onnx : .catBoostJSON))
        }
    }

    /// What is given by mistake, the first bytes of such a file, what is said of it, and the way out.
    static let strangers: [(String, [UInt8], String, String)] = [
        ("nothing", [], "empty", "export"), ("a pickle", [0x80, 4, 0x95, 0, 0], "pickle", "save_model"),
        ("compressed joblib", [0x78, 0x9C, 1, 2], "joblib", "skl2onnx"),
        ("a zip", Array("PK\u{3}\u{4}rest".utf8), "zip archive", "torch.onnx.export"),
        ("HDF5", [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "HDF5", "tf2onnx"), ("gzip", [0x1F, 0x8B, 8, 0], "gzip", "gunzip"),
        ("zstd", [0x28, 0xB5, 0x2F, 0xFD, 0], "zstd", "zstd -d"), ("Parquet", Array("PAR1".utf8), "Parquet", "--input"),
        ("Arrow", Array("ARROW1\0\0".utf8), "Arrow", "--input"), ("numpy", [0x93] + Array("NUMPY\u{1}\0".utf8), "numpy", "linear"),
        ("CatBoost binary", Array("CBM1abc".utf8), ".cbm", "format='json'"),
        ("old XGBoost", Array("binf\0\0".utf8), "old binary", "m.json"),
        ("old XGBoost without mark", bareXGBoost, "old binary", "m.json"),
        ("XGBoost dump", Array("booster[0]:\n0:[f1<2]".utf8), "dump", "save_model"),
        ("XGBoost JSON dump", Array(#"[{"nodeid":0}]"#.utf8), "dump", "save_model"),
        ("LightGBM dump", Array(#"{"name":"tree","tree_info":[]}"#.utf8), "dump", "m.txt"),
        ("PMML", Array("<?xml version=\"1.0\"?><PMML>".utf8), "PMML", "export"),
        ("a web page", Array("<!DOCTYPE html><html>".utf8), "web page", "again"),
        ("Git LFS", Array("version https://git-lfs.github.com/spec/v1".utf8), "LFS", "git lfs pull"),
        ("text", Array("hello".utf8), "no model file", "docs/models.md"),
        ("JSON", Array(#"{"a":1}"#.utf8), "JSON, but", "whence-linear"),
        ("UBJSON", Array("{i\u{1}ai\u{1}}".utf8), "UBJSON", "docs/models.md"),
    ]

    static var bareXGBoost: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 170)
        bytes[136] = 15
        bytes.replaceSubrange(144..<159, with: Array("binary:logistic".utf8))
        return bytes
    }

    @Test("what is no model says what it is and how to export", arguments: strangers.indices)
    func stranger(index: Int) {
        let (_, bytes, what, hint) = ModelFormatTests.strangers[index]
        expectError(.unknownFormat, "m: ", what, hint) { _ = try ModelFormatTests.detect(bytes) }
    }

    @Test("a file that is not there, is a directory, or is too large")
    func files() {
        expectError(.notFound, "no such file") { _ = try ModelFormat.detect(.file("/nowhere/m.txt"), bytesMax: 1) }
        expectError(.invalidArgument, "regular file") { _ = try ModelFormat.detect(.file("/tmp"), bytesMax: 1) }
        expectError(.limitExceeded, "more than 1 bytes") { _ = try ModelFormat.detect(.bytes([1, 2], name: "m"), bytesMax: 1) }
    }
}
