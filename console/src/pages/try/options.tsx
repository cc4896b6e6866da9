/** How labels are asked for: the model, another to compare it with, and the parameters. */
import type { ModelList } from '../../../../client/index.ts';
import type { Question } from './answers.ts';

const TOP_K = [1, 3, 5, 10, 20] as const;

const FUNCTIONS = ['softmax', 'sigmoid'] as const;

/** The question, and the model of the second one. */
export interface Choice extends Question {
  /** Null: nothing is compared. */
  readonly other: string | null;
}

interface OptionsProps {
  readonly models: ModelList;
  readonly choice: Choice;
  onChange(choice: Choice): void;
}

/** The row of choices. */
export function Options({ models, choice, onChange }: OptionsProps) {
  const references = referencesOf(models);
  const choices = references.map((reference) => (
    <option key={reference} value={reference}>
      {reference}
    </option>
  ));
  return (
    <fieldset class="options">
      <legend class="visually-hidden">How to ask</legend>
      <label>
        Model
        <select value={choice.model} onChange={(event) => onChange({ ...choice, model: event.currentTarget.value })}>
          {choices}
        </select>
      </label>
      <label>
        Compare with
        <select
          value={choice.other ?? ''}
          onChange={(event) => onChange({ ...choice, other: event.currentTarget.value || null })}
        >
          <option value="">nothing</option>
          {choices}
        </select>
      </label>
      <label>
        Labels
        <select
          value={String(choice.topK)}
          onChange={(event) => onChange({ ...choice, topK: Number(event.currentTarget.value) })}
        >
          {TOP_K.map((count) => (
            <option key={count} value={String(count)}>
              {count}
            </option>
          ))}
        </select>
      </label>
      <label>
        Scores
        <select
          value={choice.functionToApply ?? ''}
          onChange={(event) =>
            onChange({
              ...choice,
              functionToApply: FUNCTIONS.find((each) => each === event.currentTarget.value) ?? null,
            })
          }
        >
          <option value="">as trained</option>
          <option value="softmax">softmax</option>
          <option value="sigmoid">sigmoid</option>
        </select>
      </label>
      <label class="check" title="Large JPEGs are decoded at full size first, as the reference does">
        <input
          type="checkbox"
          checked={choice.exact}
          onChange={(event) => onChange({ ...choice, exact: event.currentTarget.checked })}
        />
        Exact decoding
      </label>
    </fieldset>
  );
}

/** `name@alias` and `name@version` of every published version: a model's aliases first. */
export function referencesOf({ models }: ModelList): readonly string[] {
  const names = [...new Set(models.map(({ name }) => name))];
  return names.flatMap((name) => {
    const own = models.filter((each) => each.name === name);
    const aliases = own.flatMap((each) => each.aliases).sort();
    return [...aliases, ...own.map(({ version }) => version)].map((each) => `${name}@${each}`);
  });
}
