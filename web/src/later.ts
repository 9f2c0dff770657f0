// Work that may wait: it is done in slices, between which the browser can draw and take input.

const SLICE_MS = 8;

const queue: (() => void)[] = [];
let until = 0;
let scheduled = false;

/** Whether this task of the browser has worked long enough, so that the rest should wait. */
export function isLate(): boolean {
  const now = performance.now();
  if (until === 0) {
    until = now + SLICE_MS;
    // Runs as a task of its own, when this one is over.
    if (!scheduled) schedule();
  }
  return now > until;
}

/** Does this once the browser has drawn, in the order of the calls. */
export function later(job: () => void): void {
  queue.push(job);
  schedule();
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    until = 0;
    while (queue.length > 0 && !isLate()) queue.shift()?.();
    if (queue.length > 0) schedule();
  });
}
