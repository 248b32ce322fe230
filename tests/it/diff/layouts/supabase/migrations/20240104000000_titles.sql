ALTER TABLE posts ADD COLUMN subtitle text;
ALTER TABLE posts ADD CONSTRAINT titles_differ CHECK (title <> subtitle);
