"""What the tests share: testbeds, fakes, namespaces, refusals, and the state of a namespace to compare."""
