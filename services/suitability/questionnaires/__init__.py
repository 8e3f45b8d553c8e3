"""Questionnaires (调查表): templates as data, scoring, and the proof that every answer sheet has one level."""
