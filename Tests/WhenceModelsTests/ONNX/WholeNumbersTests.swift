import Testing

@testable import WhenceModels

@Suite("Whole numbers in the fewest bytes") struct WholeNumbersTests {
    @Test("they are what was put in, however they widen")
    func widening() {
        let steps: [Int64] = [0, -128, 127, 128, -32_768, 32_767, 32_768, -2_147_483_648, 2_147_483_647, 2_147_483_648, .min, .max, 5]
        // From each of them on, so that every width is met first by every wider number.
        for start in steps.indices {
            var numbers = WholeNumbers()
            for (count, step) in steps[start...].enumerated() {
                numbers.append(step)
                #expect(Array(numbers) == Array(steps[start...(start + count)]))
            }
        }
        #expect(WholeNumbers().isEmpty)
    }
}
