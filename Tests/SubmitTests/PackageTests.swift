import Testing

@testable import Submit
