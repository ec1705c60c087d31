-- Thousands of rows of every table that grows, in and around the repository p/a (tests/core/test_rows_read.py).
CREATE TEMP TABLE n AS SELECT n, 'sha256:' || encode(sha256(n::text::bytea), 'hex') AS digest FROM generate_series(1, 3000) n;
INSERT INTO project (name) SELECT 'q' || n FROM n;
INSERT INTO account (username) SELECT 'u' || n FROM n;
INSERT INTO repository (name, project_id) SELECT 'p/r' || n, r.project_id FROM n, repository r WHERE r.name = 'p/a';
INSERT INTO repository (name, project_id) SELECT p.name || '/r', p.project_id FROM n JOIN project p ON p.name = 'q' || n;
INSERT INTO artifact_blob (digest, size, state, keep_until) SELECT digest, 1, 'live', now() FROM n;
INSERT INTO repository_blob (repository_id, project_id, blob_id, keep_until)
  SELECT r.repository_id, r.project_id, b.id, now() FROM n JOIN artifact_blob b USING (digest), repository r WHERE r.name = 'p/a';
INSERT INTO project_blob (project_id, blob_id, size) SELECT project_id, blob_id, 1 FROM repository_blob
  ON CONFLICT DO NOTHING;
INSERT INTO artifact (type, media_type, manifest_media_type, project_id, repository_id, repository_name, digest, size, manifest,
  subject_digest, keep_until) SELECT 'IMAGE', '', '', r.project_id, r.repository_id, r.name, digest, 1, '', digest, now()
  FROM n, repository r WHERE r.name = 'p/a';
INSERT INTO artifact_blob_ref (artifact_id, repository_id, digest, blob_digest, link_id)
  SELECT a.id, a.repository_id, a.digest, a.digest, CASE WHEN a.id % 2 = 0 THEN l.id END FROM n JOIN artifact a USING (digest)
  JOIN artifact_blob b USING (digest) JOIN repository_blob l ON l.blob_id = b.id AND l.repository_id = a.repository_id;
INSERT INTO artifact_reference (artifact_id, repository_id, child_digest, child_id)
  SELECT a.id, a.repository_id, a.digest, CASE WHEN a.id % 2 = 0 THEN a.id END FROM n JOIN artifact a USING (digest);
INSERT INTO artifact_accessory (artifact_id, repository_id, digest, subject_artifact_digest, type, size)
  SELECT a.id, a.repository_id, a.digest, a.digest, '', 1 FROM n JOIN artifact a USING (digest);
INSERT INTO tag (repository_id, artifact_id, name) SELECT a.repository_id, a.id, 't' || n FROM n JOIN artifact a USING (digest);
INSERT INTO tag_history (repository_id, name, username) SELECT repository_id, name, '' FROM tag;
INSERT INTO upload (id, repository_id, principal, expires_at, staging)
  SELECT gen_random_uuid(), r.repository_id, 'system:0', now() + '1 day', '{}' FROM n, repository r WHERE r.name = 'p/a';
INSERT INTO upload_staging (id, state, abort_after) SELECT n, '{}', now() + '1 day' FROM n;
INSERT INTO event (kind, payload) SELECT 'none', '{}' FROM n;
INSERT INTO access_log (username, operation) SELECT '', '' FROM n;
INSERT INTO gc_review (kind, target, review_after) SELECT 'link', n, now() FROM n;
INSERT INTO gc_delete (digest, generation, next_try) SELECT digest, 0, now() + '1 day' FROM n;
INSERT INTO execution (kind, status) SELECT 'k', 'success' FROM n;
INSERT INTO task (execution_id, kind, status) SELECT id, kind, CASE WHEN id % 2 = 0 THEN status ELSE 'pending' END FROM execution;
INSERT INTO task_log (task_id, line) SELECT id, '' FROM task;
INSERT INTO pgqueuer (priority, status, entrypoint, dedupe_key) SELECT 0, 'queued', 'other', 'other:' || n FROM n;
INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint) SELECT n, 'successful', 0, 'k' FROM n;
