{{- /* Fails where values do not go together, which values.schema.json cannot say. */}}
{{- define "furiosa-npu.check" -}}
{{- range $agent, $resources := .Values.resources -}}
{{- range $what, $limit := $resources.limits -}}
{{- $request := get $resources.requests $what -}}
{{- if and (hasKey $resources.requests $what) (gt (include "furiosa-npu.amount" $request | float64) (include "furiosa-npu.amount" $limit | float64)) -}}
{{ fail (printf "resources.%s.limits.%s: %v is less than resources.%s.requests.%s, %v" $agent $what $limit $agent $what $request) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $agent, $args := .Values.extraArgs -}}
{{- range $arg := $args -}}
{{- if hasPrefix "--listen-address" $arg -}}
{{ fail (printf "extraArgs.%s: %s: the probes ask the port that the chart names, and the kubelet would kill an agent that does not listen there: leave it out, and let a NetworkPolicy keep others from the port" $agent $arg) }}
{{- end -}}
{{- range $option, $value := dict "publish" "publish" "labels" "labels" "startup-taint" "startupTaint" "retire" "dra.retire" "family" "families" -}}
{{- if regexMatch (printf "^--%s(=|$)" $option) $arg -}}
{{ fail (printf "extraArgs.%s: %s: rights, mounts and hooks go by the value %s: set that one" $agent $arg $value) }}
{{- end -}}
{{- end -}}
{{- if and $.Values.disable (ne $agent "labeller") (regexMatch "^--(config|disable)(=|$)" $arg) -}}
{{ fail (printf "extraArgs.%s: %s: the value disable would not count beside it: set one of the two" $agent $arg) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* The number that a quantity stands for: 64Mi, 500m, 1e9. */}}
{{- define "furiosa-npu.amount" -}}
{{- $number := regexFind "^[0-9.]+([eE][-+]?[0-9]+)?" (toString .) -}}
{{- $decimal := dict "" 1 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- $binary := dict "Ki" 0x1p10 "Mi" 0x1p20 "Gi" 0x1p30 "Ti" 0x1p40 "Pi" 0x1p50 "Ei" 0x1p60 -}}
{{ mulf $number (get (merge $decimal $binary) (trimPrefix $number (toString .))) }}
{{- end }}
