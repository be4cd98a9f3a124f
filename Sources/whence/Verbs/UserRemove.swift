import ArgumentParser
import WhenceCore
import WhenceServer

struct UserRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a user, and with them their tokens and grants.",
        discussion: "Example: whence user remove eta --users users.yaml")

    @Argument(help: "The user.")
    var name: String

    @OptionGroup var users: UserArguments

    func run() throws {
        try UserAdministration(file: users.users).remove(name)
        try Console.print(
            users.json ? JSON.object([("user", .string(name)), ("removed", .bool(true))]).text : "Removed user '\(name)'.")
    }
}
