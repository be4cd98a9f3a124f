import WhenceCore

/// Where in a document of objects and arrays a reader is, and what it has seen there.
struct DocumentPath {
    /// One open object or array.
    private struct Level {
        var isArray: Bool
        /// Elements or members begun; the current one is the last of them.
        var count = 0
        var key = ""
        /// The keys seen so far; a few are looked through, many are hashed.
        var few: [String] = []
        var many: Set<String> = []
    }

    /// Objects and arrays within one another. No library's own files come near it.
    static let nestingMax = 64
    /// Members of one object.
    static let membersMax = 1 << 16

    private var levels: [Level] = []
    /// Levels in use; those above keep their memory for the next object.
    private(set) var depth = 0

    /// Opens an object or an array. False where they are nested too deep.
    mutating func push(isArray: Bool) -> Bool {
        guard depth < DocumentPath.nestingMax else { return false }
        if depth == levels.count { levels.append(Level(isArray: isArray)) }
        levels[depth].isArray = isArray
        levels[depth].count = 0
        levels[depth].few.removeAll(keepingCapacity: true)
        if !levels[depth].many.isEmpty { levels[depth].many = [] }
        depth += 1
        return true
    }

    mutating func pop() { depth -= 1 }

    var isInArray: Bool { depth > 0 && levels[depth - 1].isArray }
    /// Elements or members of the innermost level that were begun.
    var count: Int { depth > 0 ? levels[depth - 1].count : 0 }

    /// Goes to the next element of an array.
    @inline(__always)
    mutating func nextElement() { levels[depth &- 1].count &+= 1 }

    /// Goes to the member `key` of an object. False where there was one of that name, or where there are too many.
    mutating func nextMember(_ key: String) -> Bool {
        let level = depth - 1
        levels[level].count += 1
        levels[level].key = key
        if levels[level].count <= 32 {
            if levels[level].few.contains(key) { return false }
            levels[level].few.append(key)
            return true
        }
        if levels[level].many.isEmpty { levels[level].many = Set(levels[level].few) }
        return levels[level].count <= DocumentPath.membersMax && levels[level].many.insert(key).inserted
    }

    /// As `learner.gradient_booster.model.trees[3].left_children[7]`; empty at the top.
    var text: String {
        var text = ""
        for level in levels[..<depth] where level.count > 0 {
            if level.isArray {
                text += "[\(level.count - 1)]"
            } else {
                if !text.isEmpty { text += "." }
                text += String(level.key.prefix(80))
            }
        }
        return text
    }
}
