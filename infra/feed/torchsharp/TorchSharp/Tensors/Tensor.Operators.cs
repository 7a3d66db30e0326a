namespace TorchSharp;

public static partial class torch
{
    /// <summary>Operators. Equality of tensors gives a tensor: test for null with "is null".</summary>
    public partial class Tensor
    {
        public static Tensor operator +(Tensor a, Tensor b) => a.add(b);

        public static Tensor operator +(Tensor a, Scalar b) => a.add(b);

        public static Tensor operator +(Scalar a, Tensor b) => b.add(a);

        public static Tensor operator -(Tensor a, Tensor b) => a.sub(b);

        public static Tensor operator -(Tensor a, Scalar b) => a.sub(b);

        public static Tensor operator -(Scalar a, Tensor b) => NativeMethods.srt_rsub_scalar(b, a);

        public static Tensor operator *(Tensor a, Tensor b) => a.mul(b);

        public static Tensor operator *(Tensor a, Scalar b) => a.mul(b);

        public static Tensor operator *(Scalar a, Tensor b) => b.mul(a);

        public static Tensor operator /(Tensor a, Tensor b) => a.div(b);

        public static Tensor operator /(Tensor a, Scalar b) => a.div(b);

        public static Tensor operator /(Scalar a, Tensor b) => NativeMethods.srt_rdiv_scalar(b, a);

        public static Tensor operator -(Tensor a) => a.neg();

        public static Tensor operator ==(Tensor a, Tensor b) => a.eq(b);

        public static Tensor operator ==(Tensor a, Scalar b) => a.eq(b);

        public static Tensor operator ==(Scalar a, Tensor b) => b.eq(a);

        public static Tensor operator !=(Tensor a, Tensor b) => a.ne(b);

        public static Tensor operator !=(Tensor a, Scalar b) => a.ne(b);

        public static Tensor operator !=(Scalar a, Tensor b) => b.ne(a);

        public static Tensor operator <(Tensor a, Tensor b) => a.lt(b);

        public static Tensor operator <(Tensor a, Scalar b) => a.lt(b);

        public static Tensor operator <(Scalar a, Tensor b) => b.gt(a);

        public static Tensor operator >(Tensor a, Tensor b) => a.gt(b);

        public static Tensor operator >(Tensor a, Scalar b) => a.gt(b);

        public static Tensor operator >(Scalar a, Tensor b) => b.lt(a);

        public static Tensor operator <=(Tensor a, Tensor b) => a.le(b);

        public static Tensor operator <=(Tensor a, Scalar b) => a.le(b);

        public static Tensor operator <=(Scalar a, Tensor b) => b.ge(a);

        public static Tensor operator >=(Tensor a, Tensor b) => a.ge(b);

        public static Tensor operator >=(Tensor a, Scalar b) => a.ge(b);

        public static Tensor operator >=(Scalar a, Tensor b) => b.le(a);
    }
}
