using System.Buffers.Binary;
using System.Text;
using StreamRec.Trainer.Training;

namespace StreamRec.TrainerTests.Training;

public class TensorBoardWriterTests
{
    [Fact]
    public void Records_are_framed_with_their_length_and_carry_tag_step_and_value()
    {
        var directory = Directory.CreateTempSubdirectory("streamrec-tb-");
        try
        {
            using (var writer = new TensorBoardWriter(directory.FullName))
                writer.Write(300, new Dictionary<string, double> { ["loss"] = 1.5, ["bad"] = double.NaN });

            var bytes = File.ReadAllBytes(Assert.Single(directory.GetFiles()).FullName);
            var version = Record(bytes, 0, out var next);
            Assert.Contains("brain.Event:2", Encoding.UTF8.GetString(version), StringComparison.Ordinal);
            var record = Record(bytes, next, out var end);
            Assert.Equal(bytes.Length, end);
            // double wall_time = 1; int64 step = 2 (300 = AC 02); Summary summary = 5 { Value value = 1 { tag = 1, simple_value = 2 } }
            byte[] tail = [0x10, 0xAC, 0x02, 0x2A, 13, 0x0A, 11, 0x0A, 4, (byte)'l', (byte)'o', (byte)'s', (byte)'s', 0x15, 0, 0, 0xC0, 0x3F];
            Assert.Equal(0x09, record[0]);
            Assert.Equal(tail, record[9..]);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_length_checksum_is_the_one_tensorflow_documents()
    {
        // The well-known first 12 bytes of every event file: length 24 of the version record, masked CRC-32C a7 7f 4b a3.
        var directory = Directory.CreateTempSubdirectory("streamrec-tb-");
        try
        {
            using (new TensorBoardWriter(directory.FullName))
            {
            }

            var bytes = File.ReadAllBytes(Assert.Single(directory.GetFiles()).FullName);
            Assert.Equal(24 + 2, BinaryPrimitives.ReadInt64LittleEndian(bytes));
            Assert.Equal(12 + 26 + 4, bytes.Length);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static byte[] Record(byte[] bytes, int at, out int next)
    {
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
        next = at + 12 + length + 4;
        return bytes[(at + 12)..(at + 12 + length)];
    }
}
