import Foundation

/// Points and weights of Gauss-Legendre quadratures over [0, 1].
enum Quadrature {
    /// `count` points and weights, exact for polynomials of degree `2 * count - 1`; the points are the roots of the Legendre polynomial,
    /// found by Newton's method from Tricomi's estimate.
    static func gaussLegendre(_ count: Int) -> (points: [Double], weights: [Double]) {
        var points = Array(repeating: 0.0, count: count)
        var weights = Array(repeating: 0.0, count: count)
        for index in 0..<count {
            var x = cos(Double.pi * (Double(index) + 0.75) / (Double(count) + 0.5))
            var slope = 1.0
            for _ in 0..<20 {
                var previous = 1.0
                var value = x
                for degree in stride(from: 2, through: count, by: 1) {
                    let n = Double(degree)
                    (previous, value) = (value, ((2 * n - 1) * x * value - (n - 1) * previous) / n)
                }
                slope = Double(count) * (x * value - previous) / (x * x - 1)
                let step = value / slope
                x -= step
                if abs(step) < 1e-16 { break }
            }
            points[index] = (1 + x) / 2
            weights[index] = 1 / ((1 - x * x) * slope * slope)
        }
        return (points, weights)
    }
}
