namespace StreamRec.Sources;

/// <summary>An input cannot be used as given: names the option, file, column or line and the value found there.</summary>
public sealed class SourceException : Exception
{
    public SourceException(string message) : base(message)
    {
    }

    public SourceException(string message, Exception innerException) : base(message, innerException)
    {
    }

    public SourceException()
    {
    }
}
