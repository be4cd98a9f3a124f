/// A table of features of one entity, with one event time a row.
public struct FeatureView: Sendable, Hashable {
    public var name: String
    /// The name of the entity that the features describe.
    public var entity: String
    /// In the order in which "all features" lists them.
    public var features: [Feature]
    /// Where input states the event time.
    public var eventTime: TimeColumn
    /// Where input states the availability time; nil when it does not state one.
    public var availabilityTime: TimeColumn?
    /// How long after its event time a backfilled row became available, when its input does not say.
    public var availabilityDelay: Duration
    /// The greatest age at which a value is still read (an age of exactly the TTL is alive); nil for no bound.
    public var ttl: Duration?
    /// How far back history is kept; nil for all of it.
    public var retention: Duration?
    public var owner: String
    public var description: String
    public var tags: [String: String]

    public init(
        name: String, entity: String, features: [Feature], eventTime: TimeColumn = TimeColumn(column: "event_time"),
        availabilityTime: TimeColumn? = nil, availabilityDelay: Duration = .zero, ttl: Duration? = nil, retention: Duration? = nil,
        owner: String = "", description: String = "", tags: [String: String] = [:]
    ) {
        self.name = name
        self.entity = entity
        self.features = features
        self.eventTime = eventTime
        self.availabilityTime = availabilityTime
        self.availabilityDelay = availabilityDelay
        self.ttl = ttl
        self.retention = retention
        self.owner = owner
        self.description = description
        self.tags = tags
    }
}
