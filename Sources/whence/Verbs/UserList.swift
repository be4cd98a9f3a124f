import ArgumentParser
import WhenceCore
import WhenceServer

struct UserList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List users, their grants and their tokens.",
        discussion: "Example: whence user list --users users.yaml")

    @OptionGroup var users: UserArguments

    func run() throws {
        let list = try UserAdministration(file: users.users).list()
        guard !users.json else {
            return try Console.print(JSON.array(list.map(json)))
        }
        guard !list.isEmpty else { return try Console.print("There are no users.") }
        var table = TextTable(["user", "password", "grants", "tokens"])
        for user in list {
            let tokens = user.tokens.map { token in
                token.id + (token.label.isEmpty ? "" : " (\(token.label))") + (token.expires.map { " until \($0)" } ?? "")
            }
            table.append([
                user.name, user.hasPassword ? "yes" : "no", user.grants.isEmpty ? "none" : user.grants.joined(separator: ", "),
                tokens.joined(separator: ", "),
            ])
        }
        try Console.print(table.text)
    }

    private func json(_ user: UserAdministration.Listed) -> JSON {
        .object([
            ("name", .string(user.name)), ("has_password", .bool(user.hasPassword)), ("grants", .array(user.grants.map { .string($0) })),
            (
                "tokens",
                .array(
                    user.tokens.map { token in
                        .object([
                            ("id", .string(token.id)), ("label", .string(token.label)), ("created", JSON(token.created)),
                            ("expires", JSON(token.expires)),
                        ])
                    })
            ),
        ])
    }
}
