CREATE OR REPLACE VIEW titles AS SELECT title, subtitle FROM posts;
