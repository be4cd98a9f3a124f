import ArgumentParser
import WhenceCore
import WhenceServer

struct UserAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a user, with a password or without.",
        discussion: """
            The password is asked for at a terminal, and read from standard input, up to the end of the line, elsewhere. A user without grants may \
            do nothing.

            Example: whence user add eta --users users.yaml --grant reader:weather
            Example: whence user add loader --users users.yaml --no-password --grant writer
            """)

    @Argument(help: "Letters, digits, '.', '_', '-' and '@'.")
    var name: String

    @Option(help: ArgumentHelp("A role on views: ROLE, or ROLE:PATTERN with '*' and '?'; may be repeated.", valueName: "grant"))
    var grant: [String] = []

    @Flag(help: "A user who shows tokens or certificates only.")
    var noPassword = false

    @OptionGroup var users: UserArguments

    func run() throws {
        let password = noPassword ? nil : try Password.read(for: name)
        try UserAdministration(file: users.users).add(name, password: password, grants: grant)
        try Console.print(
            users.json ? JSON.object([("user", .string(name)), ("added", .bool(true))]).text : "Added user '\(name)'.")
    }
}
