"""A step of training as a CUDA graph: hundreds of small kernels launched at once."""
import time

import torch


def captured(step, parameters, say):
    """A function that does what step() does: draws a batch, computes losses and the parameters' gradients,
    which are written anew each time. Where there is no GPU, or the capture fails, it is step itself."""
    def plain():
        for p in parameters:
            p.grad = None
        step()

    if not torch.cuda.is_available():
        return plain
    started = time.time()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(4):
            plain()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    say(f"warmed up in {time.time() - started:.1f} s")
    try:
        for p in parameters:
            p.grad = None
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        graph.replay()
        torch.cuda.synchronize()
    except RuntimeError as error:
        say("no graph:", str(error).splitlines()[0])
        torch.cuda.synchronize()
        return plain
    started = time.time()
    for _ in range(5):
        graph.replay()
    torch.cuda.synchronize()
    say(f"captured; {(time.time() - started) * 200:.1f} ms a step")
    return graph.replay
