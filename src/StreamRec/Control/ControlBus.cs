using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using StreamRec.Contracts.Control;

namespace StreamRec.Control;

/// <summary>
/// What a process does when a control message arrives. Each is a hint to look at the truth sooner: a role that misses one
/// finds the same row at its next poll. A null handler means the role does not run in this process.
/// </summary>
public sealed record ControlHandlers
{
    public Func<TrainRequested, Task>? TrainRequested { get; init; }
    public Func<TrainingProgress, Task>? TrainingProgress { get; init; }
    public Action? ModelsChanged { get; init; }
    public Action<bool>? ScoringPaused { get; init; }
}

/// <summary>
/// MassTransit, control plane only: in memory when all roles run in one process, RabbitMQ when they do not.
/// Events and lists never travel here.
/// </summary>
public static class ControlBus
{
    /// <param name="services">The host's services.</param>
    /// <param name="rabbitMq"><c>amqp://user:password@host/vhost</c>, or null for the in-memory transport.</param>
    public static void AddControlBus(this IServiceCollection services, string? rabbitMq)
    {
        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry(); // a recommender reports to nobody but its owner
            // A train request is work for one trainer; everything else is news for every process, so those queues are its own.
            bus.AddConsumer<TrainRequestedConsumer>();
            bus.AddConsumer<TrainingProgressConsumer>().Endpoint(OwnQueue);
            bus.AddConsumer<ModelsChangedConsumer>().Endpoint(OwnQueue);
            bus.AddConsumer<ScoringPausedConsumer>().Endpoint(OwnQueue);
            if (rabbitMq is null)
                bus.UsingInMemory((context, transport) => transport.ConfigureEndpoints(context));
            else
                bus.UsingRabbitMq((context, transport) =>
                {
                    transport.Host(new Uri(rabbitMq));
                    transport.ConfigureEndpoints(context);
                });
        });
    }

    private static void OwnQueue(IEndpointRegistrationConfigurator endpoint)
    {
        endpoint.Temporary = true;
        endpoint.InstanceId = "-" + Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture) + "-" + Environment.MachineName;
    }

    private sealed class TrainRequestedConsumer(ControlHandlers handlers) : IConsumer<TrainRequested>
    {
        public Task Consume(ConsumeContext<TrainRequested> context) => handlers.TrainRequested?.Invoke(context.Message) ?? Task.CompletedTask;
    }

    private sealed class TrainingProgressConsumer(ControlHandlers handlers) : IConsumer<TrainingProgress>
    {
        public Task Consume(ConsumeContext<TrainingProgress> context) => handlers.TrainingProgress?.Invoke(context.Message) ?? Task.CompletedTask;
    }

    private sealed class ModelsChangedConsumer(ControlHandlers handlers) : IConsumer<ModelPromoted>, IConsumer<ModelRolledBack>
    {
        public Task Consume(ConsumeContext<ModelPromoted> context) => Tell();

        public Task Consume(ConsumeContext<ModelRolledBack> context) => Tell();

        private Task Tell()
        {
            handlers.ModelsChanged?.Invoke();
            return Task.CompletedTask;
        }
    }

    private sealed class ScoringPausedConsumer(ControlHandlers handlers) : IConsumer<ScoringPaused>
    {
        public Task Consume(ConsumeContext<ScoringPaused> context)
        {
            handlers.ScoringPaused?.Invoke(context.Message.Paused);
            return Task.CompletedTask;
        }
    }
}
