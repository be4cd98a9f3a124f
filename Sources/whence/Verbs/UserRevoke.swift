import ArgumentParser
import WhenceCore
import WhenceServer

struct UserRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Take a token away, by its id.",
        discussion: "Sessions that it opened may do nothing more once the server has read the file again (SIGHUP).")

    @Argument(help: ArgumentHelp("The 16 digits that 'user list' shows.", valueName: "id"))
    var id: String

    @OptionGroup var users: UserArguments

    func run() throws {
        let owner = try UserAdministration(file: users.users).revokeToken(id)
        try Console.print(
            users.json
                ? JSON.object([("user", .string(owner)), ("id", .string(id)), ("revoked", .bool(true))]).text
                : "Revoked token \(id) of user '\(owner)'.")
    }
}
