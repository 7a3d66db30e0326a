using Xunit;

// libtorch's random generator, thread count and live tensors belong to the process: a test beside another would not get what it seeds and counts.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
