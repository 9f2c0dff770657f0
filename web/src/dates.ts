// How times are written, and which times belong together.

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400], ["hour", 3600], ["minute", 60]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(time: string): string {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  if (seconds > 30 * 86400) return new Date(time).toLocaleDateString("en", { dateStyle: "medium" });
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return RELATIVE.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}

/** The heading that a time comes under in a list from new to old. */
export function groupOf(time: string, now = new Date()): string {
  const then = new Date(time);
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const days = (midnight.getTime() - then.getTime()) / 86_400_000;
  if (days <= 0) return "Today";
  if (days <= 1) return "Yesterday";
  if (days <= 7) return "Previous 7 days";
  if (days <= 30) return "Previous 30 days";
  return then.toLocaleDateString("en", { month: "long", year: "numeric" });
}

/** The time of today, or else the date with it. */
export function clock(time: string): string {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return new Date(time).toLocaleString([], isToday ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

export function day(time: string): string {
  return new Date(time).toLocaleDateString([], { dateStyle: "medium" });
}
