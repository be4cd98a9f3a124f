import ArgumentParser
import WhenceCore
import WhenceEngine
import WhenceServer

struct UserToken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make a token for a user, and print it this once.",
        discussion: "Example: whence user token eta --users users.yaml --label laptop --expires 90d")

    @Argument(help: "The user.")
    var name: String

    @Option(help: ArgumentHelp("What it is for.", valueName: "text"))
    var label = ""

    @Option(help: ArgumentHelp("It opens no session after this long from now, as in 90d.", valueName: "duration"))
    var expires: String?

    @OptionGroup var users: UserArguments

    func run() throws {
        let lifetime = try expires.map { try OptionText.duration($0, "--expires") }
        let token = try UserAdministration(file: users.users).makeToken(for: name, label: label, lifetime: lifetime)
        guard users.json else { return try Console.print(token.text) }
        try Console.print(
            JSON.object([
                ("user", .string(name)), ("id", .string(token.id)), ("token", .string(token.text)), ("expires", JSON(token.expires)),
            ]))
    }
}
