ALTER TABLE posts DROP CONSTRAINT titles_differ;
ALTER TABLE posts DROP COLUMN subtitle;
