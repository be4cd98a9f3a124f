import WhenceCore

/// What people give by mistake: files that are no model, or one in a form that cannot be read safely. Each says what it is
/// and how to export the model instead.
enum ForeignFormat {
    case empty, pickle, compressedJoblib, zip, hdf5, gzip, zstd, xz, bzip2, lz4, parquet, arrow, numpy, catBoostBinary, xgboostBinary,
        xgboostDump,
        pmml, xml, html, gitLFS, treelite, lightGBMDump, jsonDump, elf

    /// The format that these first bytes of a file belong to, or nil.
    static func of(_ head: [UInt8]) -> ForeignFormat? {
        func begins(_ text: String) -> Bool { head.starts(with: text.utf8) }
        if head.isEmpty { return .empty }
        if head.count > 1, head[0] == 0x80, (2...5).contains(head[1]) { return .pickle }
        if begins("(dp") || begins("ccopy_reg") || begins("csklearn") || begins("(lp") { return .pickle }
        if begins("ZF0x") || (head.count > 1 && head[0] == 0x78 && [0x01, 0x5E, 0x9C, 0xDA].contains(head[1])) { return .compressedJoblib }
        if begins("PK\u{3}\u{4}") || begins("PK\u{5}\u{6}") { return .zip }
        if head.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]) { return .hdf5 }
        if head.starts(with: [0x1F, 0x8B]) { return .gzip }
        if head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return .zstd }
        if head.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]) { return .xz }
        if begins("BZh") { return .bzip2 }
        if head.starts(with: [0x04, 0x22, 0x4D, 0x18]) { return .lz4 }
        if begins("PAR1") { return .parquet }
        if begins("ARROW1") || begins("FEA1") || head.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]) { return .arrow }
        if head.starts(with: [0x93] + Array("NUMPY".utf8)) { return .numpy }
        if begins("CBM1") { return .catBoostBinary }
        if begins("binf") || begins("bs64") || isBareXGBoost(head) { return .xgboostBinary }
        if begins("booster[0]:") || begins("booster[0]") { return .xgboostDump }
        if begins("\u{7F}ELF") { return .elf }
        if begins("version https://git-lfs") { return .gitLFS }
        let text = String(decoding: head.prefix(200), as: UTF8.self).lowercased()
        if text.contains("<pmml") { return .pmml }
        if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") { return .html }
        if text.hasPrefix("<?xml") { return .xml }
        return nil
    }

    /// XGBoost's oldest form has no mark: a float, the base score; the number of features, of classes; two flags; zeros; and
    /// the length and name of the objective behind 136 bytes.
    private static func isBareXGBoost(_ head: [UInt8]) -> Bool {
        guard head.count > 160 else { return false }
        let length = head[136..<144].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard (3...40).contains(length), head.count >= 144 + Int(length) else { return false }
        let name = String(decoding: head[144..<(144 + Int(length))], as: UTF8.self)
        return ["reg:", "binary:", "multi:", "rank:", "count:", "survival:"].contains { name.hasPrefix($0) }
    }

    func error(_ place: String) -> WhenceError {
        let (message, hint) = text
        return WhenceError(.unknownFormat, message, place: place, hint: hint)
    }

    private static let export =
        "export the model: LightGBM booster.save_model('m.txt'), XGBoost booster.save_model('m.json'), "
        + "CatBoost model.save_model('m.json', format='json'), scikit-learn and others by way of ONNX (skl2onnx)"

    private var text: (String, String) {
        let export = ForeignFormat.export
        return switch self {
        case .empty: ("the file is empty", "export the model again; " + export)
        case .pickle:
            ("this is a Python pickle (or an uncompressed joblib file); reading it would run the code in it, so it is not read", export)
        case .compressedJoblib:
            ("this is a compressed joblib file, a Python pickle; reading it would run the code in it, so it is not read", export)
        case .zip:
            (
                "this is a zip archive, such as PyTorch, Keras, numpy or skops write",
                "if a model file is in it, unpack that first; PyTorch: torch.onnx.export(model, x, 'm.onnx'); else " + export
            )
        case .hdf5:
            (
                "this is an HDF5 file, such as Keras writes",
                "convert the network to ONNX: python -m tf2onnx.convert --keras m.h5 --output m.onnx"
            )
        case .gzip: ("this file is packed with gzip", "unpack it first: gunzip FILE")
        case .zstd: ("this file is packed with zstd", "unpack it first: zstd -d FILE")
        case .xz: ("this file is packed with xz", "unpack it first: xz -d FILE")
        case .bzip2: ("this file is packed with bzip2", "unpack it first: bzip2 -d FILE")
        case .lz4: ("this file is packed with lz4", "unpack it first: lz4 -d FILE; a joblib file stays a pickle then: " + export)
        case .parquet: ("this is a Parquet file: a table, no model", "name the model's file; tables are for --input")
        case .arrow: ("this is an Arrow file: a table, no model", "name the model's file; tables are for --input")
        case .numpy: ("this is a numpy array, no model", "write coefficients as a linear model (Formats/linear-model.md), or " + export)
        case .catBoostBinary:
            (
                "this is CatBoost's binary format (.cbm)",
                "save it as JSON: CatBoost().load_model('m.cbm').save_model('m.json', format='json')"
            )
        case .xgboostBinary:
            (
                "this is XGBoost's old binary format, which XGBoost itself has given up",
                "load it with an XGBoost before 3.1 and save it as JSON or UBJSON: booster.save_model('m.json')"
            )
        case .xgboostDump:
            (
                "this is a text dump of XGBoost, which leaves out what a prediction needs",
                "save the model itself: booster.save_model('m.json')"
            )
        case .pmml: ("this is PMML, which is not read", export)
        case .xml: ("this is XML, which no supported library writes", export)
        case .html: ("this is a web page, perhaps the error page of a download", "get the file again")
        case .gitLFS: ("this is a Git LFS pointer, not the file itself", "fetch the file: git lfs pull")
        case .treelite: ("this is a model of Treelite, which is not read", "save the model from the library that trained it; " + export)
        case .lightGBMDump:
            (
                "this is LightGBM's JSON dump, which leaves out what a prediction needs",
                "save the model as text: booster.save_model('m.txt')"
            )
        case .jsonDump:
            (
                "this is a JSON dump of trees, which leaves out what a prediction needs",
                "save the model itself: booster.save_model('m.json')"
            )
        case .elf: ("this is a program or a compiled model", "name the file that it was compiled from; " + export)
        }
    }
}
