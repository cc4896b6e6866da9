/** The policy as JSON: what the sliders change is changed here too, and the other way round. */
import { useState } from 'preact/hooks';
import { compilePolicy } from '../../../../worker/moderation/policy/evaluate.ts';
import { namedHeadLabels } from '../../../../worker/moderation/policy/label-sources.ts';
import type { Policy } from '../../../../worker/moderation/policy/schema.ts';
import { parsePolicy } from '../../../../worker/moderation/policy/validate.ts';

interface PolicyTextProps {
  readonly policy: Policy;
  readonly labels: readonly string[];
  onChange(policy: Policy): void;
}

/** An editor that applies what can be read, and says what is wrong with what cannot. */
export function PolicyText({ policy, labels, onChange }: PolicyTextProps) {
  /** Null: the text is the policy's. */
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const edit = (text: string): void => {
    setDraft(text);
    try {
      const parsed = parsePolicy(JSON.parse(text));
      compilePolicy(parsed, labels, namedHeadLabels(parsed));
      setProblem(null);
      onChange(parsed);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <details class="panel">
      <summary>Policy as JSON</summary>
      <textarea
        rows={18}
        spellcheck={false}
        aria-label="Policy as JSON"
        aria-invalid={problem !== null}
        value={draft ?? JSON.stringify(policy, null, 2)}
        onInput={(event) => edit(event.currentTarget.value)}
        onBlur={() => {
          if (problem === null) setDraft(null);
        }}
      />
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </details>
  );
}
