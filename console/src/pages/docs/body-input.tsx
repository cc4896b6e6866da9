/** The body of a request: text, a file, or the fields of a form. */
import type { Operation } from './document.ts';
import { bodyKindOf, type Filled, type FormPart } from './request.ts';

interface BodyInputProps {
  readonly content: NonNullable<Operation['requestBody']>['content'];
  readonly filled: Filled;
  onChange(filled: Filled): void;
}

/** The fields, and a choice of media types. */
export function BodyInput({ content, filled, onChange }: BodyInputProps) {
  const mediaTypes = Object.keys(content);
  const { mediaType, text, parts } = filled;
  if (mediaType === null) return null;
  const kind = bodyKindOf(mediaType);
  return (
    <fieldset class="body-input">
      <legend>Body</legend>
      <label>
        Content type
        <select value={mediaType} onChange={(event) => onChange({ ...filled, mediaType: event.currentTarget.value })}>
          {mediaTypes.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
      {kind === 'text' && (
        <label>
          Text
          <textarea
            rows={8}
            spellcheck={false}
            value={text}
            onInput={(event) => onChange({ ...filled, text: event.currentTarget.value })}
          />
        </label>
      )}
      {kind === 'file' && (
        <label>
          File
          <input
            type="file"
            onChange={(event) => onChange({ ...filled, file: event.currentTarget.files?.[0] ?? null })}
          />
        </label>
      )}
      {kind === 'form' && <FormParts parts={parts} onChange={(next) => onChange({ ...filled, parts: next })} />}
    </fieldset>
  );
}

function FormParts({
  parts,
  onChange,
}: {
  readonly parts: readonly FormPart[];
  onChange(parts: readonly FormPart[]): void;
}) {
  const add = (value: FormPart['value']): void =>
    onChange([...parts, { id: Math.max(0, ...parts.map(({ id }) => id)) + 1, name: '', value }]);
  const change = (id: number, part: Partial<FormPart>): void =>
    onChange(parts.map((each) => (each.id === id ? { ...each, ...part } : each)));
  return (
    <>
      {parts.map(({ id, name, value }, at) => (
        <div key={id} class="row form-row form-part">
          <label>
            Field {at + 1}
            <input value={name} onInput={(event) => change(id, { name: event.currentTarget.value })} />
          </label>
          {typeof value === 'string' ? (
            <label>
              Value of field {at + 1}
              <input value={value} onInput={(event) => change(id, { value: event.currentTarget.value })} />
            </label>
          ) : (
            <label>
              Files of field {at + 1}
              <input
                type="file"
                multiple
                onChange={(event) => change(id, { value: [...(event.currentTarget.files ?? [])] })}
              />
            </label>
          )}
          <button type="button" class="small" onClick={() => onChange(parts.filter((each) => each.id !== id))}>
            Remove field {at + 1}
          </button>
        </div>
      ))}
      <div class="row">
        <button type="button" class="small" onClick={() => add([])}>
          Add files
        </button>
        <button type="button" class="small" onClick={() => add('')}>
          Add text
        </button>
      </div>
    </>
  );
}
