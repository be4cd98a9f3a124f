/// How to get the features that a reader wants out of rows of every schema that a view has had.
public struct RowProjection: Sendable {
    /// One wanted feature.
    public struct Target: Hashable, Sendable {
        /// The feature's id within its view.
        public let featureID: UInt32
        /// The type in which it is wanted: the type of the view's current schema.
        public let type: FeatureType

        public init(featureID: UInt32, type: FeatureType) {
            self.featureID = featureID
            self.type = type
        }
    }

    /// What must happen to a stored value to give the wanted type.
    @usableFromInline enum Conversion: UInt8, Sendable { case none, int32ToInt64, int32ToFloat64, float32ToFloat64 }

    /// Where one target is found under one schema.
    struct Access: Sendable {
        /// The field's index, or -1 where the schema has no such feature.
        var field: Int
        /// The field's place in the fixed section of a dense row, or -1.
        var offset: Int
        var width: Int
        var conversion: Conversion
    }

    /// All targets under one schema.
    struct Plan: Sendable {
        let layout: RowLayout
        let accesses: [Access]
        /// Places in the fixed section, one a target, where every target is there, of a fixed width, and needs no conversion.
        let denseOffsets: [Int]?
        /// Every target is carried by a row that carries all fields of this schema.
        let coversAllTargets: Bool
    }

    public let targets: [Target]
    private let plans: [Plan?]

    /// - Parameter layouts: the layouts of all schemas of the view.
    public init(targets: [Target], layouts: [RowLayout]) {
        self.targets = targets
        var plans: [Plan?] = []
        for layout in layouts {
            let id = Int(layout.schema.id)
            while plans.count <= id { plans.append(nil) }
            let accesses = targets.map { target -> Access in
                guard let field = layout.schema.fields.firstIndex(where: { $0.id == target.featureID }),
                    let conversion = RowProjection.conversion(from: layout.schema.fields[field].type, to: target.type)
                else { return Access(field: -1, offset: -1, width: 0, conversion: .none) }
                return Access(
                    field: field, offset: layout.fixedOffsets[field], width: layout.widths[field], conversion: conversion)
            }
            let isDense = accesses.allSatisfy { $0.offset >= 0 && $0.conversion == .none }
            plans[id] = Plan(
                layout: layout, accesses: accesses, denseOffsets: isDense ? accesses.map(\.offset) : nil,
                coversAllTargets: accesses.allSatisfy { $0.field >= 0 })
        }
        self.plans = plans
    }

    private static func conversion(from stored: FeatureType, to wanted: FeatureType) -> Conversion? {
        if stored == wanted { return Conversion.none }
        switch (stored, wanted) {
        case (.scalar(.int32), .scalar(.int64)): return .int32ToInt64
        case (.scalar(.int32), .scalar(.float64)): return .int32ToFloat64
        case (.scalar(.float32), .scalar(.float64)): return .float32ToFloat64
        default: return nil
        }
    }

    /// The plan for rows of schema `id`. Throws `unknownFormat` where the view has no such schema.
    func plan(_ id: UInt32) throws(WhenceError) -> Plan {
        guard Int(id) < plans.count, let plan = plans[Int(id)] else {
            throw WhenceError(
                .corruption, "a stored row names schema \(id), which its view does not have", hint: "run 'whence admin verify'")
        }
        return plan
    }
}
