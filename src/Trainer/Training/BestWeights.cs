namespace StreamRec.Trainer.Training;

/// <summary>Keeps the weights of the best validation and says when to give up.</summary>
internal sealed class BestWeights(GraphRecommender model, Func<GraphRecommender, double>? validate, int patience)
{
    private float[][]? _weights;
    private int _validations;
    private int _since;

    /// <summary>NaN before the first validation.</summary>
    public double Value { get; private set; } = double.NaN;

    public bool IsExhausted => validate is not null && _since >= patience;

    /// <summary>Counts, for checkpoints: validations done and how many since the best.</summary>
    public (int Validations, int Since, double Value, float[][]? Weights) State
    {
        get => (_validations, _since, Value, _weights);
        set => (_validations, _since, Value, _weights) = value;
    }

    public bool IsDue(double done, int validations) => validate is not null && (done >= 1 || done * validations >= _validations + 1);

    public double Validate()
    {
        model.Train(false);
        var value = validate!(model);
        _validations++;
        if (double.IsNaN(Value) || value > Value)
            (Value, _since, _weights) = (value, 0, model.Save());
        else
            _since++;
        return value;
    }

    /// <summary>Puts the best weights back into the model.</summary>
    public void Keep()
    {
        if (_weights is not null)
            model.Restore(_weights);
        model.Train(false);
    }
}
