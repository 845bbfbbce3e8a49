-- Tokens end by themselves, may be limited to hosts and operations, and show when they were last used.

ALTER TABLE api_tokens
  ADD COLUMN expires_at   timestamptz,
  -- NULL: all of them.
  ADD COLUMN hosts        text[],
  -- Names, or a family as `service.*`; NULL: all of them.
  ADD COLUMN operations   text[],
  -- To within some minutes.
  ADD COLUMN last_used_at timestamptz;
UPDATE api_tokens SET expires_at = now() + interval '90 days';
ALTER TABLE api_tokens ALTER COLUMN expires_at SET NOT NULL;
