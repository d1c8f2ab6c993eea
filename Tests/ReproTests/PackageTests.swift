import Testing

@testable import Repro
