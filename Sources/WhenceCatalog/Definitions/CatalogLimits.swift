/// Limits of definitions, beside those of `Limits`; `Formats/definitions.md` and `Formats/catalog.md` state them.
public enum CatalogLimits {
    /// Size of one file of definitions, in bytes.
    public static let fileBytes = 4 << 20
    /// Lists and maps inside one another in a file of definitions.
    public static let nestingDepth = 16
    /// Length of a description, in bytes.
    public static let descriptionBytes = 4096
    /// Length of an owner, of the value of a tag, or of the name of an input column, in bytes.
    public static let textBytes = 1024
    /// Tags of one definition or feature.
    public static let tags = 64
    /// Services that one service includes, directly.
    public static let includes = 64
    /// Services that include one another, counted from the outermost.
    public static let includeDepth = 16
    /// Selections in one service.
    public static let selectionsPerService = 1024
    /// Features that a service reads, with those of the services that it includes.
    public static let featuresPerService = 16_384
    /// Size of the canonical JSON of one definition, in bytes.
    public static let definitionBytes = 8 << 20
    /// Size of one stored entry, in bytes: a definition, and the numbers of a view with as many features as there may be.
    public static let entryBytes = 16 << 20
}
