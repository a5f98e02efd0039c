{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{- define "migration.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Of every object but those below, cluster-scoped ones too; 63 less the longest ending. */}}
{{- define "migration.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "migration.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "migration.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped, one a cluster, whatever the release is called: with it a second release is refused. */}}
{{- define "migration.clusterName" -}}kubeferry-migrationtask-edit{{- end -}}

{{- define "migration.leaseName" -}}kubeferry-controller{{- end -}}

{{- define "migration.serviceAccount" -}}
{{- default (include "migration.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "migration.selector" -}}
app.kubernetes.io/name: {{ include "migration.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "migration.labels" -}}
{{ include "migration.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: kubeferry
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "migration.image" -}}
{{- printf "%s/%s:%s" .Values.image.registry .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | trimPrefix "/" -}}
{{- end -}}

{{- define "migration.engineImage" -}}
{{- $image := .Values.engine.image -}}
{{- printf "%s/%s:%s" (default .Values.image.registry $image.registry) $image.repository (default .Chart.AppVersion $image.tag) | trimPrefix "/" -}}
{{- end -}}

{{- define "migration.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "migration.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
