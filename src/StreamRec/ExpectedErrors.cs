using StreamRec.Local;
using StreamRec.Sources;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;

namespace StreamRec;

/// <summary>Errors a user can mend, told in one line; everything else keeps its stack trace because it is ours to mend.</summary>
internal static class ExpectedErrors
{
    public static bool IsExpected(Exception e) =>
        e is SettingsException or SourceException or LocalServerException or HubException
            or NotEnoughDataException or InvalidDataException or FileNotFoundException;
}
