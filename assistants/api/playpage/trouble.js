/** The error of a run, and its remedy. */

/** @type {Record<string, string>} by the code of the error or the reason */
const ADVICE = {
  rate_limit_exceeded: "Wait a little, then send the message again.",
  max_completion_tokens: "Raise “Answer tokens at most” in the settings of the next run, or leave it empty.",
  max_prompt_tokens: "Raise “Prompt tokens at most” in the settings of the next run, or leave it empty.",
  content_filter: "The model's endpoint has filtered the answer; ask in other words.",
};

/** Empty if nothing did. @param {any} run */
export function trouble(run) {
  if (!run) return "";
  if (run.status === "failed")
    return `The run failed. ${run.last_error?.message ?? ""} ${ADVICE[run.last_error?.code] ?? ""}`.trim();
  if (run.status === "incomplete") {
    const reason = run.incomplete_details?.reason ?? "";
    return `The answer is incomplete (${reason}). ${ADVICE[reason] ?? ""}`.trim();
  }
  if (run.status === "expired") return "The run took longer than it may, and has expired. Send the message again.";
  return "";
}
