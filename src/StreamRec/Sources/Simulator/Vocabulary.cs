namespace StreamRec.Sources.Simulator;

/// <summary>The words an item's text is made of. An item's topic and style choose them, so the text carries the taste the item serves.</summary>
internal static class Vocabulary
{
    /// <summary>Topic: its name, then nouns that can stand as a title, then words of its descriptions.</summary>
    public static readonly (string Name, string[] Nouns, string[] Words)[] Topics =
    [
        ("Kitchen", Split("teapot kettle skillet whisk colander mug platter casserole grater ladle"),
            Split("kitchen cooking baking stove recipe dinner roast simmer ceramic enamel steel oven pantry chef breakfast")),
        ("Garden", Split("trowel planter watering-can trellis seedbox birdhouse hose lantern rake greenhouse"),
            Split("garden soil bloom seedling patio herbs outdoor sun pruning compost flower lawn terracotta spring harvest")),
        ("Audio", Split("headphones speaker turntable amplifier earbuds microphone soundbar subwoofer mixer radio"),
            Split("sound bass treble wireless music studio listening noise frequency stereo vinyl playback hifi volume acoustic")),
        ("Cycling", Split("helmet saddle handlebar jersey pannier pump derailleur bell gloves headlight"),
            Split("cycling ride bike road gravel commute pedal chain climb aerodynamic tyre trail gear commuter wheel")),
        ("Reading", Split("novel atlas anthology notebook bookmark memoir thriller cookbook biography comic"),
            Split("story chapter author pages mystery poetry paperback fiction library character plot history illustrated edition reading")),
        ("Toys", Split("puzzle train blocks doll kite robot boardgame marbles yoyo plush"),
            Split("children play imagination family game colourful building learning rules wooden safe birthday pieces team fun")),
        ("Skincare", Split("serum cleanser moisturizer balm toner mask sunscreen scrub lotion soap"),
            Split("skin hydration gentle vitamin botanical fragrance sensitive glow oil soothing dermatologist aloe pores natural cream")),
        ("Camping", Split("tent hammock backpack stove sleeping-bag compass canteen headlamp tarp knife"),
            Split("camping trail waterproof wilderness hiking lightweight summit campfire shelter rugged mountain forest expedition survival night")),
        ("Office", Split("desk-lamp stapler organiser keyboard planner chair monitor-stand pen whiteboard folder"),
            Split("office work productivity desk ergonomic meeting focus paper storage typing schedule tidy cable adjustable professional")),
        ("Fashion", Split("scarf jacket sneakers dress belt sunglasses cardigan boots handbag shirt"),
            Split("wear fabric cotton fit season outfit leather stitched soft tailored wardrobe size denim wool comfortable")),
        ("Pets", Split("leash catnip aquarium dog-bed feeder scratching-post collar birdcage treats brush"),
            Split("pet dog cat puppy kitten chew feeding grooming walk fur fish paw vet animal companion")),
        ("Art", Split("easel canvas sketchbook brushes watercolours pastels clay palette marker print"),
            Split("paint drawing pigment colour artist creative gallery texture studio charcoal portrait landscape craft acrylic sculpture")),
    ];

    public static readonly (string Name, string[] Words)[] Styles =
    [
        ("Rustic", Split("rustic handmade farmhouse oak weathered natural")),
        ("Minimal", Split("minimal clean simple white understated matte")),
        ("Vintage", Split("vintage retro classic antique nostalgic brass")),
        ("Bold", Split("bold neon striking graphic loud saturated")),
        ("Luxury", Split("luxury premium gold elegant exclusive velvet")),
        ("Eco", Split("recycled sustainable organic bamboo plastic-free fairtrade")),
        ("Smart", Split("smart app connected sensor bluetooth automatic")),
        ("Cosy", Split("cosy warm fluffy snug homely knitted")),
    ];

    public static readonly string[] Common = Split("with for everyday use quality gift new made designed perfect great includes size set value ideal");

    private static readonly string[] Syllables = Split("vel mora ka rin tos lum ber dan eli fen go hal isk jor ny pax quo sel tir ush wyn zan");

    /// <summary>A maker's name; the same number gives the same name.</summary>
    public static string Series(int number)
    {
        var name = Syllables[number % Syllables.Length] + Syllables[number / Syllables.Length % Syllables.Length];
        if (number >= Syllables.Length * Syllables.Length)
            name += Syllables[number / (Syllables.Length * Syllables.Length) % Syllables.Length];
        return char.ToUpperInvariant(name[0]) + name[1..];
    }

    private static string[] Split(string words) => words.Split(' ');
}
