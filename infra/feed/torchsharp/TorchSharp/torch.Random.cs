namespace TorchSharp;

public static partial class torch
{
    /// <summary>A source of random numbers. Streams depend on the version of libtorch: compare through stored tensors, not seeds.</summary>
    public sealed class Generator : IDisposable
    {
        public Generator(ulong seed = 0, Device? device = null)
        {
            Handle = NativeMethods.srt_generator_new(seed, (int)(device?.type ?? DeviceType.CPU), device?.index ?? -1);
            if (Handle == 0)
                throw NativeMethods.Error();
        }

        private Generator(nint handle) => Handle = handle == 0 ? throw NativeMethods.Error() : handle;

        ~Generator() => Free();

        internal nint Handle { get; private set; }

        internal static Generator Shared { get; } = new(NativeMethods.srt_generator_default());

        public Generator manual_seed(long seed)
        {
            NativeMethods.srt_generator_seed(Handle, seed);
            GC.KeepAlive(this);
            return this;
        }

        public Tensor get_state()
        {
            var state = NativeMethods.srt_generator_state(Handle);
            GC.KeepAlive(this);
            return state;
        }

        public void set_state(Tensor state)
        {
            NativeMethods.srt_generator_set_state(Handle, state);
            GC.KeepAlive(this);
        }

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        private void Free()
        {
            if (Handle != 0)
                NativeMethods.srt_generator_dispose(Handle);
            Handle = 0;
        }
    }

    /// <summary>Seeds the generators used when none is given, on every device.</summary>
    public static Generator manual_seed(long seed)
    {
        NativeMethods.srt_manual_seed(seed);
        return Generator.Shared;
    }

    public static Tensor get_rng_state() => Generator.Shared.get_state();

    public static void set_rng_state(Tensor state) => Generator.Shared.set_state(state);
}
