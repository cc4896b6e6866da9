/** Which head the answers of reviews teach: their images become examples, labelled as in the export. */
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';

interface HeadChoiceProps {
  /** Empty: none. */
  readonly head: string;
  onChange(head: string): void;
}

/** The choice among the key's own heads; nothing without the scope `heads`, or without a head. */
export function HeadChoice({ head, onChange }: HeadChoiceProps) {
  const { client, access } = useSession();
  const mayTeach = access.state === 'open' && access.key.scopes.includes('heads');
  const heads = useLoading(() => (mayTeach ? client.listHeads() : Promise.resolve({ heads: [] })), [client, mayTeach]);
  const own = heads.value?.heads.filter((each) => each.own) ?? [];
  if (own.length === 0) return null;
  return (
    <label title="Images that you answer become its examples, labelled allow or block">
      Answers teach
      <select value={head} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">no head</option>
        {own.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
