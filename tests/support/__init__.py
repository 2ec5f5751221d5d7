"""What the tests share: testbeds, containers, fakes, namespaces, and the state of one to compare."""
