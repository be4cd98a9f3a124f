import ArgumentParser

struct UserVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Look after the users of a server: passwords, tokens, grants.",
        discussion: """
            The file holds salted hashes only. A server reads it at its start and on SIGHUP.

            Example: whence user add eta --users users.yaml --grant reader:weather --grant 'reader:flights_*'
            Example: whence user token eta --users users.yaml --label laptop --expires 90d
            """,
        subcommands: [UserAdd.self, UserChange.self, UserToken.self, UserRevoke.self, UserList.self, UserRemove.self])
}

/// What every verb about users takes.
struct UserArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The file of users; 'user add' makes it where there is none.", valueName: "file"))
    var users: String

    @Flag(help: "Answer in JSON, for programs.")
    var json = false
}
