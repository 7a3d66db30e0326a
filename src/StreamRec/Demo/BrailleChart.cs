using System.Text;

namespace StreamRec.Demo;

/// <summary>
/// Line chart of braille dots (2 x 4 per character cell) as markup lines. Later series are drawn over earlier ones; a cell has one colour,
/// that of the last series in it.
/// </summary>
internal sealed class BrailleChart(int columns, int rows)
{
    // Unicode 2800 + bit per dot: left column 1,2,3,7 from the top, right column 4,5,6,8.
    private static readonly byte[,] Dots = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } };

    private readonly byte[] _cells = new byte[columns * rows];
    private readonly string?[] _colours = new string?[columns * rows];
    private readonly Dictionary<int, string> _verticals = [];

    /// <summary>Draws a line through the points; x and y as shares of the chart, y upwards.</summary>
    public void Line(IReadOnlyList<(double X, double Y)> points, string colour)
    {
        for (var i = 0; i < points.Count; i++)
        {
            var (x0, y0) = Dot(points[Math.Max(0, i - 1)]);
            var (x1, y1) = Dot(points[i]);
            var steps = Math.Max(1, Math.Max(Math.Abs(x1 - x0), Math.Abs(y1 - y0)));
            for (var s = 0; s <= steps; s++)
                Set(x0 + ((x1 - x0) * s / steps), y0 + ((y1 - y0) * s / steps), colour);
        }
    }

    /// <summary>A dim vertical rule behind the lines.</summary>
    public void Vertical(double x, string colour) => _verticals[Math.Clamp((int)(x * columns), 0, columns - 1)] = colour;

    /// <summary>One markup string per row, top first.</summary>
    public IEnumerable<string> Lines()
    {
        for (var row = 0; row < rows; row++)
        {
            var line = new StringBuilder();
            string? open = null;
            for (var column = 0; column < columns; column++)
            {
                var cell = _cells[(row * columns) + column];
                var (glyph, colour) = cell != 0 ? ((char)(0x2800 + cell), _colours[(row * columns) + column])
                    : _verticals.TryGetValue(column, out var rule) ? ('┊', rule) : (' ', null);
                if (colour != open)
                {
                    line.Append(open is null ? "" : "[/]").Append(colour is null ? "" : $"[{colour}]");
                    open = colour;
                }

                line.Append(glyph);
            }

            yield return line.Append(open is null ? "" : "[/]").ToString();
        }
    }

    private (int X, int Y) Dot((double X, double Y) point) =>
        ((int)Math.Round(Math.Clamp(point.X, 0, 1) * ((columns * 2) - 1)), (int)Math.Round((1 - Math.Clamp(point.Y, 0, 1)) * ((rows * 4) - 1)));

    private void Set(int x, int y, string colour)
    {
        var cell = (y / 4 * columns) + (x / 2);
        _cells[cell] |= Dots[x % 2, y % 4];
        _colours[cell] = colour;
    }
}
