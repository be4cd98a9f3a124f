import ArgumentParser
import WhenceCore
import WhenceServer

struct UserChange: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "change",
        abstract: "Give a user a new password, or other grants.",
        discussion: """
            Grants that are given take the place of all there were.

            Example: whence user change eta --users users.yaml --password
            Example: whence user change eta --users users.yaml --grant reader
            """)

    @Argument(help: "The user.")
    var name: String

    @Flag(help: "Ask for a new password.")
    var password = false

    @Flag(help: "Take the password away.")
    var noPassword = false

    @Option(help: ArgumentHelp("A role on views: ROLE, or ROLE:PATTERN; may be repeated.", valueName: "grant"))
    var grant: [String] = []

    @Flag(help: "Take all grants away.")
    var noGrants = false

    @OptionGroup var users: UserArguments

    func validate() throws {
        if password, noPassword { throw ValidationError("'--password' and '--no-password' exclude one another") }
        if noGrants, !grant.isEmpty { throw ValidationError("'--grant' and '--no-grants' exclude one another") }
        if !password, !noPassword, !noGrants, grant.isEmpty { throw ValidationError("nothing says what to change") }
    }

    func run() throws {
        let administration = UserAdministration(file: users.users)
        let change: UserAdministration.PasswordChange = noPassword ? .remove : password ? .set(try Password.read(for: name)) : .keep
        try administration.change(name, password: change, grants: noGrants || !grant.isEmpty ? grant : nil)
        try Console.print(
            users.json ? JSON.object([("user", .string(name)), ("changed", .bool(true))]).text : "Changed user '\(name)'.")
    }
}
