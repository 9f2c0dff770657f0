// Calls that wait: for a person, who gets two buttons, or for this browser, which runs one tool.

import { button, element } from "./dom.ts";
import type { Message, Part } from "./types.ts";

/** Gives a call that waits what a person says of it. */
export type Decide = (part: Part, approved: boolean) => void;

/** The buttons of a call that waits for an approval. */
export function approvalButtons(part: Part, decide: Decide): HTMLElement {
  const root = element("p", "approval");
  const make = (label: string, approved: boolean) => {
    const made = button("button", label, () => decide(part, approved));
    made.dataset.approved = String(approved);
    return made;
  };
  root.append(make("Approve", true), " ", make("Deny", false));
  return root;
}

export function waitsForPerson(part: Part): boolean {
  return part.state === "approval-requested";
}

/** Writes into a call what a person said. What is stored is what the server takes of it. */
export function decide(part: Part, approved: boolean): void {
  part.state = "approval-responded";
  part.approval = { id: part.approval?.id ?? "", approved };
}

/** Takes back what `decide` has written, because the server does not have it. */
export function undecide(part: Part): void {
  part.state = "approval-requested";
  part.approval = { id: part.approval?.id ?? "" };
}

/** Runs the calls of a message that wait for this browser; returns whether there were any. */
export function runHere(message: Message): boolean {
  const calls = message.parts.filter(
    (part) => part.toolName === "browser_clock" && part.state === "input-available",
  );
  for (const part of calls) {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    Object.assign(part, { state: "output-available", output: { time: new Date().toString(), timeZone } });
  }
  return calls.length > 0;
}

/** Ends the calls of a message that nobody waits for any more, as the server does. */
export function close(message: Message): boolean {
  const calls = message.parts.filter((part) => part.toolCallId !== undefined);
  const open = calls.filter((part) => /^(input-available|approval-)/.test(part.state ?? ""));
  for (const part of open) {
    if (part.state === "input-available") Object.assign(part, { state: "output-error", errorText: "not answered" });
    else part.state = "output-denied";
  }
  return open.length > 0;
}
