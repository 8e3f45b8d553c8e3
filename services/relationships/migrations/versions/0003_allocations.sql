CREATE TABLE allocation_lines (
	run_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	before TEXT, 
	after TEXT, 
	fit INTEGER NOT NULL, 
	why TEXT NOT NULL, 
	needs TEXT[] NOT NULL, 
	weight INTEGER NOT NULL, 
	CONSTRAINT pk_allocation_lines PRIMARY KEY (run_id, client_id)
);
CREATE INDEX ix_allocation_lines_run_id_after_client_id ON allocation_lines (run_id, after, client_id);
COMMENT ON COLUMN allocation_lines.before IS 'none: the pool';
COMMENT ON COLUMN allocation_lines.after IS 'none: nobody has room, nothing changes';
CREATE TABLE allocation_runs (
	run_id UUID NOT NULL, 
	branch_id TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	managers TEXT[] NOT NULL, 
	state TEXT NOT NULL, 
	day DATE NOT NULL, 
	reason TEXT NOT NULL, 
	asked_by TEXT NOT NULL, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	policy TEXT, 
	inputs JSONB, 
	fingerprint TEXT, 
	solver TEXT, 
	result JSONB, 
	solved_at TIMESTAMP WITH TIME ZONE, 
	decided_by TEXT, 
	decided_at TIMESTAMP WITH TIME ZONE, 
	rolled_back_by TEXT, 
	rolled_back_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_allocation_runs PRIMARY KEY (run_id), 
	CONSTRAINT ck_allocation_runs_scope CHECK (scope IN ('all', 'pool')), 
	CONSTRAINT ck_allocation_runs_state CHECK (state IN ('asked', 'solved', 'applied', 'refused', 'rolled_back'))
);
CREATE INDEX ix_allocation_runs_asked ON allocation_runs (asked_at) WHERE state = 'asked';
CREATE INDEX ix_allocation_runs_branch_id_run_id ON allocation_runs (branch_id, run_id);
COMMENT ON COLUMN allocation_runs.scope IS 'all clients of the branch, or its pool';
COMMENT ON COLUMN allocation_runs.managers IS 'named for it; none: the branch''s';
COMMENT ON COLUMN allocation_runs.state IS 'asked, solved, applied, refused, rolled_back';
COMMENT ON COLUMN allocation_runs.policy IS 'the version of the terms';
COMMENT ON COLUMN allocation_runs.inputs IS 'everything the solver was given';
COMMENT ON COLUMN allocation_runs.fingerprint IS 'of the inputs';
COMMENT ON COLUMN allocation_runs.solver IS 'its name and version; it draws nothing at random';
COMMENT ON COLUMN allocation_runs.result IS 'the comparison';
CREATE TABLE manager_capacities (
	staff_id TEXT NOT NULL, 
	capacity INTEGER NOT NULL, 
	entered_by TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_manager_capacities PRIMARY KEY (staff_id)
);
COMMENT ON COLUMN manager_capacities.capacity IS 'clients; of everybody else the policy''s';
CREATE TABLE manager_skills (
	evidence_id UUID NOT NULL, 
	staff_id TEXT NOT NULL, 
	skill TEXT NOT NULL, 
	level INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	shown_on DATE NOT NULL, 
	entered_by TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_manager_skills PRIMARY KEY (evidence_id)
);
CREATE INDEX ix_manager_skills_staff_id ON manager_skills (staff_id);
COMMENT ON COLUMN manager_skills.kind IS 'contest, paper, speech, test, self_assessment';
