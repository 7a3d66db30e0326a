namespace StreamRec.Trainer.Text;

/// <summary>Replaces a folder as a whole: a run killed while it writes leaves the old one.</summary>
internal static class WholeFolder
{
    /// <param name="folder">Made, or replaced once <paramref name="write"/> is through.</param>
    /// <param name="write">Fills the new, empty folder it is given.</param>
    public static void Replace(string folder, Action<string> write)
    {
        var written = folder + ".new";
        if (Directory.Exists(written))
            Directory.Delete(written, recursive: true);
        Directory.CreateDirectory(written);
        write(written);
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.Move(written, folder);
    }
}
