import WhenceCore

extension Catalog {
    /// What applying `definitions` would do. Definitions that are stored and not given are left alone.
    ///
    /// Changes that cannot be made to what is stored are marked as refused in the plan. Throws `invalidDefinition` or
    /// `limitExceeded`, with the place, when the definitions are wrong whatever is stored: a reference to what does not exist,
    /// a duplicate, a cycle.
    public func plan(_ definitions: Definitions) throws(WhenceError) -> CatalogPlan {
        var planner = Planner(self, definitions)
        return try planner.plan()
    }

    /// The catalog after `plan`, and the entries that are new in it, to be stored in one commit.
    ///
    /// A plan that changes nothing gives the same catalog and no entries. Throws `incompatibleChange` when the plan has
    /// refusals, or was made against another version of the catalog.
    public func applying(_ plan: CatalogPlan) throws(WhenceError) -> (catalog: Catalog, entries: [CatalogEntry]) {
        guard plan.baseVersion == version else {
            throw WhenceError(
                .incompatibleChange,
                "the plan was made against version \(plan.baseVersion) of the catalog, which has version \(version) now",
                hint: "plan again, and look at what has changed")
        }
        let refused = plan.changes.filter { $0.effect == .refused }
        if let first = refused.first {
            let more = refused.count > 1 ? " (and \(refused.count - 1) more refused changes)" : ""
            throw WhenceError(
                .incompatibleChange, first.reason + more, place: "\(first.kind) \(first.name)", hint: "'whence plan' shows every change")
        }
        guard !plan.isEmpty else { return (self, []) }
        let entries = plan.writes.map { write in
            CatalogEntry(
                write.definition, version: versions(kind: write.definition.kind, name: write.definition.name).count + 1,
                catalogVersion: version + 1, numbering: write.numbering)
        }
        return (try Catalog(entries: allEntries + entries), entries)
    }
}
